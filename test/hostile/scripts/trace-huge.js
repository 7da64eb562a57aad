// Tries: to print lines of a hundred megabytes, control characters, and what looks like a log line. Once in some hundred
// runs V8 aborts on it: a thread that compiles asks for a collection just when the heap is given up
// ("Check failed: GetTimerForCollectionRequest(kind).IsStarted()").
// Attack: call
// Ends: none | memory | cpu | stuck | crash

Client.prototype.attack = () => {
  trace(
    '\u0000\u001b[2J\u001b]0;owned\u0007\r\n{"level":"error","message":"forged","code":"E_APP_CLOSED"}\n',
  );
  console.log('%s%n%x', '\ud800', '\u202e');
  for (let i = 0; i < 20; i++) trace('x'.repeat(100_000_000 + i));
};
