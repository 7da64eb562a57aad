// Tries: to fill the server's disk with as many files as it may make, each as long as it may be, and with files that are
// removed while they are open.
// Attack: call
// Ends: cpu | none

const text = 'x'.repeat(900_000);
Client.prototype.attack = () => {
  for (let i = 0; i < 2000; i++) {
    const f = new File(`fill${i}`);
    f.open('text', 'append');
    for (let k = 0; k < 30; k++) if (!f.write(text)) break;
    if (i % 2) f.close();
    else f.remove();
  }
};
