// Tries: to never be done with rejections: each that is reported makes the next.
// Attack: call
// Ends: none | cpu | memory | mailbox

Client.prototype.attack = () => {
  const again = () => {
    Promise.reject(new Error('again')).finally(again);
  };
  again();
};
