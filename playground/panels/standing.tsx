import { connection, place, type Standing, standing } from '../state/session.ts';
import { DEFAULT_INSTANCE } from '../text/snippets.ts';

const WORDS: Readonly<Record<Standing['at'], string>> = {
  idle: 'not connected',
  connecting: 'connecting',
  connected: 'connected',
  returning: 'connection lost, coming back',
  refused: 'refused',
  closed: 'disconnected by the server',
};

/** How the connection stands, in one word. */
export function Pill() {
  const { at } = standing.value;
  const { app, instance } = place.value;
  const where = instance === '' || instance === DEFAULT_INSTANCE ? app : `${app}/${instance}`;
  return (
    <p class={`pill is-${at}`} role="status">
      <i aria-hidden="true" />
      {WORDS[at]}
      {connection.value && at !== 'refused' && at !== 'closed' && <b>{where}</b>}
    </p>
  );
}

/** Why it stands badly. */
export function Trouble() {
  const now = standing.value;
  if (now.at === 'refused')
    return (
      <div class="banner bad" role="alert">
        <strong>{now.code}</strong>
        <p>{now.why}</p>
        {now.application !== '' && (
          <pre>
            <code>{now.application}</code>
          </pre>
        )}
      </div>
    );
  if (now.at === 'returning')
    return (
      <div class="banner wait" role="status">
        <strong>The connection is lost.</strong>
        <p>It comes back by itself, with shared objects and streams. {now.why}</p>
      </div>
    );
  if (now.at === 'closed')
    return (
      <div class="banner" role="status">
        <strong>The server has ended the connection.</strong>
        <p>{now.why}</p>
      </div>
    );
  return null;
}
