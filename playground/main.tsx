/** The playground: the page at `/` of every server, made of the same client that all pages have. */
import { render } from 'preact';
import { App } from './app.tsx';
import { watchHouse } from './state/house.ts';
import { readAddress } from './state/session.ts';

readAddress();
watchHouse();
const root = document.getElementById('playground')!;
root.textContent = '';
render(<App />, root);
