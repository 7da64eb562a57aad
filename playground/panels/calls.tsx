import { Code, Coloured } from '../parts/code.tsx';
import { Empty } from '../parts/empty.tsx';
import { Field } from '../parts/field.tsx';
import { Form } from '../parts/form.tsx';
import { args, argsText, type Call, call, calls, method, methods } from '../state/calls.ts';
import { heard } from '../state/journal.ts';
import { isConnected, place } from '../state/session.ts';
import { callCode } from '../text/snippets.ts';

export function CallsPanel() {
  const { problem } = args.value;
  const isReady = isConnected.value && method.value !== '' && problem === undefined;
  return (
    <>
      <Form
        class="row"
        onSubmit={() => {
          if (isReady) void call();
        }}
      >
        <Field label="Method" value={method} placeholder="add" choices={methods.value} />
        <Field class="wide" label="Arguments" value={argsText} placeholder="2, 3" problem={problem} isCode />
        <button type="submit" class="main" disabled={!isReady}>
          Call
        </button>
      </Form>
      {calls.value.length === 0 ? (
        <Empty
          title={isConnected.value ? 'Call a method of the application.' : 'Connect, then call a method.'}
        >
          <p>
            <code>Client.prototype.add = (a, b) =&gt; a + b</code> in <code>main.ts</code> is the method{' '}
            <code>add</code>. Arguments are JSON with commas between: <code>2, 3</code>.
          </p>
        </Empty>
      ) : (
        <ol class="log">
          {calls.value.map((made) => (
            <Made key={made.id} {...made} />
          ))}
        </ol>
      )}
    </>
  );
}

export function CallsCode() {
  const code = callCode(place.value, heard.value, method.value, args.value.value ?? []);
  return <Code title="The code" text={code} />;
}

function Made(made: Call) {
  const { outcome } = made;
  const again = () => {
    method.value = made.method;
    argsText.value = made.argsText;
  };
  return (
    <li class={`is-${outcome.is}`}>
      <div class="line">
        <button type="button" class="asked" onClick={again} title="Take this call again">
          <Coloured text={`${made.method}(${made.argsText})`} />
        </button>
        {outcome.is !== 'open' && <small>{timeText(outcome.ms)}</small>}
      </div>
      {outcome.is === 'open' && <p class="note">waiting for the answer …</p>}
      {outcome.is === 'answer' && (
        <pre>
          <code>
            <Coloured text={outcome.text} />
          </code>
        </pre>
      )}
      {outcome.is === 'error' && (
        <p class="failed">
          <b>{outcome.code}</b> {outcome.description}
        </p>
      )}
    </li>
  );
}

function timeText(ms: number): string {
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`;
}
