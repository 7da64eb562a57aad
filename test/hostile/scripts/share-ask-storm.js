// Tries: to keep the host busy with what it answers and nobody counts as the script's own time: shared objects that are
// opened, written to disk, cleared and asked about again and again.
// Attack: call
// Ends: cpu

Client.prototype.attack = () => {
  for (let i = 0; ; i++) {
    const so = SharedObject.get(`storm${i % 300}`, i % 2 === 0);
    for (let k = 0; k < 20; k++) so.setProperty(`slot${k}`, 'x'.repeat(i % 2000));
    so.saved().catch(() => {});
    so.isDirty;
    so.flush();
    so.watch('slot1', () => {})();
    so.authorize = () => true;
    so.authorize = null;
    SharedObject.commit();
    if (i % 7 === 0) application.clearSharedObjects('/');
    if (i % 3 === 0) so.close();
  }
};
