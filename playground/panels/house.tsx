import { signal } from '@preact/signals';
import { Field } from '../parts/field.tsx';
import { Form } from '../parts/form.tsx';
import { type AppEntry, listing, refresh, token } from '../state/house.ts';
import { app, instance } from '../state/session.ts';
import { DEFAULT_INSTANCE } from '../text/snippets.ts';

/** Elsewhere the list is in the way. */
const WIDE = '(min-width: 48rem)';

const typed = signal('');

/** What the server has: applications and their instances. */
export function House() {
  const now = listing.value;
  return (
    <nav class="card house" aria-label="Applications">
      <details open={matchMedia(WIDE).matches}>
        <summary>
          <h2>Applications</h2>
        </summary>
        {now.at === 'asking' && <p class="note">Asking the server …</p>}
        {now.at === 'away' && (
          <p class="note bad" role="status">
            The server does not answer. Asking again …
          </p>
        )}
        {now.at === 'refused' && <Refused why={now.why} />}
        {now.at === 'there' && now.apps.length === 0 && <p class="note">None yet.</p>}
        {now.at === 'there' && (
          <ul>
            {now.apps.map((each) => (
              <Application key={each.name} {...each} />
            ))}
          </ul>
        )}
      </details>
    </nav>
  );
}

function Application({ name, instances }: AppEntry) {
  const isThere = instances.some((one) => one.instance === DEFAULT_INSTANCE);
  return (
    <li>
      <Choice
        to={name}
        at={isThere || instances.length === 0 ? DEFAULT_INSTANCE : instances[0]!.instance}
        isApp
      >
        {name}
      </Choice>
      {instances.length > 0 && (
        <ul>
          {instances.map((one) => {
            const live = one.streams.filter(({ source }) => source !== null).length;
            return (
              <li key={one.instance}>
                <Choice to={name} at={one.instance}>
                  <span class="name">{one.instance}</span>
                  {live > 0 && <span class="tag live">{live} live</span>}
                  <span class="count" title={`${one.clients} connected`}>
                    {one.clients}
                  </span>
                </Choice>
              </li>
            );
          })}
        </ul>
      )}
    </li>
  );
}

interface ChoiceProps {
  readonly to: string;
  readonly at: string;
  readonly isApp?: boolean;
  readonly children: preact.ComponentChildren;
}

function Choice({ to, at, isApp = false, children }: ChoiceProps) {
  const isChosen = app.value === to && (isApp || instance.value === at);
  return (
    <button
      type="button"
      class={isApp ? 'choice app' : 'choice'}
      aria-current={isChosen}
      onClick={() => {
        app.value = to;
        instance.value = at;
      }}
    >
      {children}
    </button>
  );
}

function Refused({ why }: { why: string }) {
  return (
    <div class="refused">
      <p>
        This server does not tell you what it has: <q>{why}</q>.
      </p>
      <p>Type the names of an application and an instance, or give the administrator’s token:</p>
      <Form
        onSubmit={() => {
          token.value = typed.value.trim();
          refresh();
        }}
      >
        <Field
          label="Token"
          value={typed}
          type="password"
          hint="This page forgets it when it is closed or loaded again."
        />
        <button type="submit" class="quiet">
          Show what there is
        </button>
      </Form>
    </div>
  );
}
