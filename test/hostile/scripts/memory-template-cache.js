// Tries: to fill the caches of templates and of evaluated code, a new site each time.
// Attack: call
// Ends: cpu | memory | stuck | crash

const all = [];
const tag = (strings) => all.push(strings);
globalThis.tag = tag;
Client.prototype.attack = () => {
  for (let i = 0; ; i++)
    (0, eval)(`label${i}: for (;;) { tag\`part ${i} \${1} \${2} rest\`; break label${i}; }`);
};
