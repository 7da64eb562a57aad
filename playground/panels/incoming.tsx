import { Coloured } from '../parts/code.tsx';
import { Empty } from '../parts/empty.tsx';
import { Field } from '../parts/field.tsx';
import { answerText, clearJournal, type Entry, entries } from '../state/journal.ts';
import { parseValue } from '../text/json.ts';

/** What comes by itself, newest first. */
export function Incoming() {
  const problem = answerText.value.trim() === '' ? undefined : parseValue(answerText.value).problem;
  return (
    <section class="card incoming" aria-label="Incoming">
      <header>
        <h2>Incoming</h2>
        {entries.value.length > 0 && (
          <button type="button" class="small" onClick={clearJournal}>
            Clear
          </button>
        )}
      </header>
      <details>
        <summary>Answer calls</summary>
        <Field
          label="What the application’s calls are answered with"
          value={answerText}
          placeholder='{"ok": true}'
          problem={problem}
          hint="JSON. Empty: undefined."
          isCode
        />
      </details>
      {entries.value.length === 0 ? (
        <Empty title="Nothing has come yet.">
          <p>
            Calls of the application, messages of shared objects and streams, and every status appear here.
          </p>
        </Empty>
      ) : (
        <ol class="log" aria-live="off">
          {entries.value.map((entry) => (
            <Line key={entry.id} {...entry} />
          ))}
        </ol>
      )}
    </section>
  );
}

function Line({ at, kind, of, name, text }: Entry) {
  const time = at.toTimeString().slice(0, 8);
  return (
    <li class={`is-${kind}`}>
      <div class="line">
        <span class="tag">{kind}</span>
        {of !== '' && <span class="of">{of}</span>}
        <time dateTime={at.toISOString()}>{time}</time>
      </div>
      {kind === 'call' ? (
        <pre>
          <code>
            <Coloured text={`${name}(${text})`} />
          </code>
        </pre>
      ) : (
        <p>
          <b>{name}</b> {text}
        </p>
      )}
    </li>
  );
}
