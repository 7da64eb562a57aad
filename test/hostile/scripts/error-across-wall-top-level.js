// Tries: to loop and to throw while the error that ends its top level is copied out.
// Attack: top-level
// Ends: refused | cpu | stuck | crash

const forever = () => {
  for (;;) {}
};
throw Object.defineProperties(new Error('across'), {
  message: { get: forever },
  stack: { get: forever },
  name: { get: forever },
});
