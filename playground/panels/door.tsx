import { Field } from '../parts/field.tsx';
import { Form } from '../parts/form.tsx';
import { listing } from '../state/house.ts';
import { app, args, argsText, enter, instance, leave, standing } from '../state/session.ts';
import { Trouble } from './standing.tsx';

/** Where to connect, and with what. */
export function Door() {
  const { at } = standing.value;
  const isIn = at === 'connected' || at === 'connecting' || at === 'returning';
  const isReady = app.value.trim() !== '' && args.value.problem === undefined;
  const apps = listing.value.at === 'there' ? listing.value.apps : [];
  const submit = () => {
    if (isIn) leave();
    else if (isReady) void enter();
  };
  return (
    <section class="card door" aria-label="Connect">
      <Form onSubmit={submit}>
        <Field label="Application" value={app} placeholder="chat" choices={apps.map(({ name }) => name)} />
        <Field
          label="Instance"
          value={instance}
          placeholder="_definst_"
          choices={apps.find(({ name }) => name === app.value)?.instances.map((one) => one.instance) ?? []}
        />
        <Field
          class="wide"
          label="Arguments for onConnect"
          value={argsText}
          placeholder='"Ada", 7'
          problem={args.value.problem}
          isCode
        />
        <button type="submit" class={isIn ? 'quiet' : 'main'} disabled={!isIn && !isReady}>
          {isIn ? 'Disconnect' : 'Connect'}
        </button>
      </Form>
      <Trouble />
    </section>
  );
}
