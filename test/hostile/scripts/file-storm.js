// Tries: to keep the server's disk and its files busy for as long as a handler may run, again and again.
// Attack: call
// Ends: cpu

Client.prototype.attack = () => {
  for (let i = 0; ; i++) {
    const f = new File(`storm${i % 50}`);
    f.open('text', 'append');
    f.write('x'.repeat(i % 1000));
    if (i % 3) f.close();
    f.renameTo(`calm${i % 50}`);
    new File('/').list();
    new File(`dir${i % 7}`).mkdir('inner');
    new File(`dir${i % 7}`).remove(true);
    new File('/').mkdir(`dir${i % 7}`);
  }
};
