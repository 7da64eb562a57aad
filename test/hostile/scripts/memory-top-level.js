// Tries: to grow without end at the top level.
// Attack: top-level
// Ends: refused | memory | stuck | crash

const all = [];
for (;;) all.push({ all, text: String(all.length) });
