// Tries: to connect hundreds of times at once to what it may and may not reach, itself included, with hostile arguments and handlers.
// Attack: call
// Ends: none | cpu | memory
// Check: hasHeardOfAll

let started = 0;
let heard = 0;
Client.prototype.hasHeardOfAll = () => started > 0 && heard >= started / 2;
const hostile = () => {
  throw new Error('read me not');
};
const addresses = [
  'rtmp://127.0.0.1:1/x',
  'rtmp://169.254.169.254/latest',
  'rtmp:/nobody/here',
  'rtmp:/',
  `rtmp://${'a'.repeat(30_000)}/x`,
  'rtmps://user:word@host/app',
  'rtmp://[::1]:1935/a/../../b',
  `rtmp:/${application.name.split('/')[0]}/another`,
];
Client.prototype.attack = () => {
  for (let i = 0; i < 400; i++) {
    const nc = new NetConnection();
    nc.onStatus = () => {
      heard++;
      if (i % 3 === 0) throw new Error('heard');
      if (i % 5 === 0) nc.close();
    };
    started++;
    try {
      nc.connect(
        addresses[i % addresses.length],
        i % 7 === 0
          ? {
              get a() {
                return hostile();
              },
            }
          : 'x'.repeat(i),
      );
    } catch {
      heard++; // arguments that cannot be read
    }
    nc.call(
      'toString',
      {
        get onResult() {
          return hostile();
        },
      },
      i,
    );
    if (i % 11 === 0) nc.close();
  }
};
