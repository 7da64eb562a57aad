// Tries: to make the encoder work for two at once: getters that send values while a value is being sent.
// Attack: call
// Ends: none
// Check: isWhole

let isWhole = true;
Client.prototype.isWhole = () => isWhole;
Client.prototype.attack = async function () {
  const client = this;
  const value = {
    first: 'first',
    get second() {
      client.call('echo', null, { other: 'x'.repeat(5000) });
      trace({
        toString: () => {
          client.call('echo', null, [1, 2, 3]);
          return 'traced';
        },
      });
      return 'second';
    },
    third: 'third',
  };
  const { first, second, third } = await client.invoke('echo', value);
  isWhole = first === 'first' && second === 'second' && third === 'third';
  return value;
};
