// Tries: to keep whoever connects waiting with an `onAppStart` that never finishes.
// Attack: top-level
// Ends: refused

application.onAppStart = () => new Promise(() => {});
