// Tries: to copy buffers by slicing and transferring them, keeping every copy.
// Attack: call
// Ends: none | memory | cpu | stuck | crash

Client.prototype.attack = () => {
  const all = [];
  let buffer = new ArrayBuffer(4 * 1024 * 1024);
  for (;;) {
    all.push(buffer.slice(0), new DataView(buffer));
    buffer = buffer.transfer(buffer.byteLength + 4096);
  }
};
