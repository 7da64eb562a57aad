import { Coloured } from '../parts/code.tsx';
import { listing } from '../state/house.ts';

const LINES = [
  'application.onConnect = () => true;',
  'Client.prototype.add = (a, b) => a + b;',
  "Client.prototype.greet = (name) => 'hello, ' + name;",
];

/** How the first application is made, as long as there is none. */
export function FirstApp() {
  const now = listing.value;
  if (now.at !== 'there' || now.apps.length > 0) return null;
  const folder = `${now.directory.replace(/[\\/]$/, '')}/hello`;
  return (
    <section class="card first" aria-label="The first application">
      <h2>No applications yet. Three lines make one.</h2>
      <p>
        Make the folder <code>{folder}</code> with a file <code>main.js</code>:
      </p>
      <pre>
        <code>
          <Coloured text={LINES.join('\n')} />
        </code>
      </pre>
      <p class="note">
        Save it, and it is in the list at once: nothing needs to be started again. Then connect to it and call
        add.
      </p>
    </section>
  );
}
