// Tries: to never finish its top level, so that nobody who connects ever hears an answer.
// Attack: top-level
// Ends: refused

for (;;) {}
