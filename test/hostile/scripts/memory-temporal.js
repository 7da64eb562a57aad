// Tries: to keep dates of Temporal, whose insides lie outside the heap.
// Attack: call
// Ends: cpu | memory | stuck | crash

Client.prototype.attack = () => {
  if (typeof Temporal === 'undefined') return 'there is none';
  const all = [];
  for (let i = 0; ; i++) {
    const at = Temporal.Instant.fromEpochMilliseconds(i * 1e7).toZonedDateTimeISO('UTC');
    all.push(at, at.toPlainDateTime(), at.add({ hours: i % 1000 }), at.since(all[0] ?? at));
  }
};
