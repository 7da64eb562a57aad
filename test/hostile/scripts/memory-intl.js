// Tries: to keep objects of Intl, which hold most of their memory outside the heap.
// Attack: call
// Ends: cpu | memory | stuck | crash

Client.prototype.attack = () => {
  const all = [];
  for (;;) {
    for (const language of ['ar', 'de', 'ja', 'th', 'zh-u-co-stroke']) {
      all.push(
        new Intl.Collator(language),
        new Intl.DateTimeFormat(language, { dateStyle: 'full' }),
        new Intl.NumberFormat(language),
      );
      all.push(
        new Intl.Segmenter(language, { granularity: 'word' }).segment('some text to cut'),
        new Intl.ListFormat(language),
      );
      all.push(new Intl.DisplayNames(language, { type: 'region' }), new Intl.PluralRules(language));
    }
  }
};
