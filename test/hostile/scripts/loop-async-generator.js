// Tries: to wait for ever in a `for await` over a generator that has always something more.
// Attack: call
// Ends: cpu | memory

async function* endless() {
  for (let i = 0; ; i++) yield i;
}
Client.prototype.attack = async () => {
  let last = 0;
  for await (const value of endless()) last = value;
  return last;
};
