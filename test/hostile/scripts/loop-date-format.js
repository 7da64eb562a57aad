// Tries: to format every date in every language for ever.
// Attack: call
// Ends: cpu | memory

const languages = ['ar', 'de', 'en', 'fa', 'he', 'hi', 'ja', 'ko', 'ru', 'th', 'zh'];
Client.prototype.attack = () => {
  for (let at = 0; ; at += 86_400_000) {
    const date = new Date(at % 8e15);
    for (const language of languages) date.toLocaleString(language, { dateStyle: 'full', timeStyle: 'full' });
  }
};
