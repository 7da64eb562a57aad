// Tries: to fill the log and the room for commands before anybody is connected.
// Attack: top-level
// Ends: none | refused

for (let i = 0; i < 100_000; i++) trace(`at the top ${i}`);
for (let i = 0; i < 1000; i++) {
  try {
    application.broadcastMsg('nobody', 'x'.repeat(10_000));
  } catch {
    // One turn may send so much.
  }
}
