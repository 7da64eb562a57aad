// Tries: to overflow the native stack where built-ins call themselves: joins, toJSON, revivers, patterns,
// templates.
// Attack: call
// Ends: any

const attempts = [
  () => {
    let nested = [];
    for (let i = 0; i < 500_000; i++) nested = [nested];
    return String(nested);
  },
  () => {
    let nested = {};
    for (let i = 0; i < 500_000; i++) nested = { nested };
    return JSON.stringify(nested);
  },
  () => JSON.parse(`${'['.repeat(200_000)}${']'.repeat(200_000)}`, (_, value) => value),
  () => new RegExp(`${'('.repeat(500_000)}a${')'.repeat(500_000)}`),
  () =>
    [[]].flat.call(
      Array.from({ length: 3 }, function nest(_, i) {
        return i > 0 ? [nest(_, 1)] : [];
      }),
      Infinity,
    ),
  () => Reflect.construct(class A extends Array {}, [], attempts.map),
];
Client.prototype.attack = () => {
  for (const attempt of attempts) {
    try {
      attempt();
    } catch (error) {
      if (!(error instanceof RangeError || error instanceof SyntaxError || error instanceof TypeError))
        throw error;
    }
  }
  return 'survived';
};
