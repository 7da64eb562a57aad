// Tries: to publish and play thousands of streams at once over connections to itself and to nobody, in rings, with hostile arguments and handlers.
// Attack: call
// Ends: none | cpu | memory | mailbox
// Check: hasHeard

let heard = 0;
Client.prototype.hasHeard = () => heard > 0;
const hostile = () => {
  throw new Error('read me not');
};
const hostileObject = {
  get name() {
    return hostile();
  },
};
Client.prototype.attack = () => {
  const links = [];
  for (const uri of [`rtmp:/${application.name}`, 'rtmp:/nobody/here', 'rtmp://127.0.0.1:1/x']) {
    const nc = new NetConnection();
    nc.connect(uri);
    links.push(nc);
  }
  for (let i = 0; i < 1500; i++) {
    const nc = links[i % links.length];
    const stream = Stream.get(`s${i % 50}`);
    const attempts = [
      () => stream.play(`s${(i + 1) % 50}`, (i % 3) - 1, (i % 4) - 1, i % 2 === 0, nc),
      () => stream.setBufferTime(i),
      () => stream.send('word', 'x'.repeat(i)),
      () => {
        const ns = new NetStream(nc);
        ns.onStatus = () => {
          heard++;
          if (i % 3 === 0) throw new Error('heard');
          if (i % 5 === 0) ns.publish(`again${i}`);
        };
        ns.attach(i % 7 === 0 ? hostileObject : stream);
        ns.publish(`p${i % 60}`, i % 11 === 0 ? 'wrong' : 'live');
        ns.setBufferTime(i % 13 === 0 ? -1 : 1e300);
        ns.send('@setDataFrame', 'onMetaData', { i });
        if (i % 17 === 0) ns.publish(false);
      },
    ];
    for (const attempt of attempts) {
      try {
        attempt();
      } catch {
        heard++; // what cannot be read, or is too much
      }
    }
    if (i === 1200) links[0].close();
  }
};
