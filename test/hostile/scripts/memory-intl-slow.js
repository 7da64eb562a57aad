// Tries: to grow outside of the heap in turns so short that none of them is long enough to be suspected.
// Attack: timer
// Ends: memory | cpu | stuck | crash

const all = [];
Client.prototype.attack = () => {
  setInterval(() => {
    for (let i = 0; i < 8; i++)
      for (const language of ['ar', 'de', 'ja', 'th', 'zh-u-co-stroke']) {
        all.push(new Intl.DateTimeFormat(language, { dateStyle: 'full', timeStyle: 'full' }));
        all.push(new Intl.Collator(language, { numeric: true }), new Intl.NumberFormat(language));
      }
  }, 1);
};
