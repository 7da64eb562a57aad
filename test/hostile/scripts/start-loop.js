// Tries: to loop in `onAppStart`.
// Attack: top-level
// Ends: refused

application.onAppStart = async () => {
  await null;
  for (;;) {}
};
