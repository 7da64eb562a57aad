// Tries: to use up the address space with buffers that reserve much and use nothing.
// Attack: call
// Ends: any

Client.prototype.attack = () => {
  const all = [];
  try {
    for (;;) all.push(new ArrayBuffer(1, { maxByteLength: 2 ** 33 }));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return all.length;
  }
};
