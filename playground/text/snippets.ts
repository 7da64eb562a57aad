/** The code to copy: what somebody has done in the playground, as a module script of a page of this server. */
import { literal, quoted } from './inspect.ts';

/** Where a connection goes. */
export interface Place {
  readonly app: string;
  readonly instance: string;
  /** For `onConnect`. */
  readonly args: readonly unknown[];
}

/** What fits beside the panels. */
const LINE = 52;

export const DEFAULT_INSTANCE = '_definst_';

/** The address for `connect`, on the page's own server. */
export function addressOf({ app, instance }: Pick<Place, 'app' | 'instance'>): string {
  const names = instance === '' || instance === DEFAULT_INSTANCE ? [app] : [app, ...instance.split('/')];
  return `/${names.map(encodeURIComponent).join('/')}`;
}

/** `heard`: methods that the application has called. */
export function connectCode(
  place: Place,
  heard: readonly string[] = [],
  more: readonly string[] = [],
): string[] {
  const names = ['NetConnection', ...more].join(', ');
  const lines = [
    `import { ${names} } from '/client.js';`,
    '',
    'const connection = new NetConnection();',
    'connection.onStatus = (info) => console.log(info);',
  ];
  for (const name of heard)
    lines.push(
      `connection.on(${quoted(name)}, (...args) => {`,
      `  console.log(${quoted(name)}, ...args);`,
      '});',
    );
  return [...lines, ...statement('await connection.connect(', [addressOf(place), ...place.args])];
}

export function callCode(
  place: Place,
  heard: readonly string[],
  method: string,
  args: readonly unknown[],
): string {
  const lines = connectCode(place, heard);
  if (method !== '')
    lines.push(
      '',
      ...statement('const answer = await connection.invoke(', [method, ...args]),
      'console.log(answer);',
    );
  return text(lines);
}

/** What was done last with a shared object. */
export type ShareAction =
  | { readonly did: 'set'; readonly slot: string; readonly value: unknown }
  | { readonly did: 'delete'; readonly slot: string }
  | { readonly did: 'clear' }
  | { readonly did: 'send'; readonly method: string; readonly args: readonly unknown[] };

export function shareCode(
  place: Place,
  name: string,
  isPersistent: boolean,
  action: ShareAction | undefined,
): string {
  const lines = connectCode(place, [], ['SharedObject']);
  const persistence = isPersistent ? ', true' : '';
  lines.push(
    '',
    'const object = SharedObject.getRemote(',
    `  ${quoted(name || 'board')},`,
    `  connection${persistence},`,
    ');',
    'object.onSync = (changes) => {',
    '  console.log(changes, object.data);',
    '};',
  );
  if (action?.did === 'send')
    lines.push(`object.on(${quoted(action.method)}, (...args) => {`, '  console.log(...args);', '});');
  lines.push('await object.ready;');
  if (action) lines.push('', ...actionCode(action));
  return text(lines);
}

function actionCode(action: ShareAction): string[] {
  switch (action.did) {
    case 'set':
      return statement('object.setProperty(', [action.slot, action.value]);
    case 'delete':
      return statement('object.setProperty(', [action.slot, null]);
    case 'clear':
      return ['object.clear();'];
    case 'send':
      return statement('object.send(', [action.method, ...action.args]);
  }
}

/** `isFast`: with low latency, on a canvas. */
export function playCode(place: Place, name: string, isFast: boolean): string {
  const lines = connectCode(place, [], ['NetStream']);
  const [attach, element] = isFast ? ['attachCanvas', 'canvas'] : ['attachVideo', 'video'];
  const load = isFast
    ? "import { attachCanvas } from '/low-latency.js';"
    : "import { attachVideo } from '/media.js';";
  lines.splice(1, 0, load);
  lines.push('', `const ${element} = document.createElement('${element}');`);
  if (!isFast) lines.push('video.muted = video.autoplay = true;', 'video.controls = true;');
  lines.push(
    `document.body.append(${element});`,
    '',
    'const stream = new NetStream(connection);',
    'stream.onStatus = (info) => console.log(info);',
    `const player = ${attach}(stream, ${element});`,
    ...statement('stream.play(', [name || 'demo']),
  );
  return text(lines);
}

/** What is published, by what the browser calls it. */
export type Source = 'camera' | 'video' | 'microphone' | 'screen';

const MEDIA: Readonly<Record<Source, string>> = {
  camera: 'getUserMedia({ video: true, audio: true })',
  video: 'getUserMedia({ video: true })',
  microphone: 'getUserMedia({ audio: true })',
  screen: 'getDisplayMedia({ video: true, audio: true })',
};

export function publishCode(place: Place, name: string, source: Source, mode: string): string {
  const lines = connectCode(place, [], ['NetStream']);
  lines.splice(1, 0, "import { publishMedia } from '/publish.js';");
  lines.push(
    '',
    'const media = await navigator.mediaDevices',
    `  .${MEDIA[source]};`,
    'const stream = new NetStream(connection);',
    'stream.onStatus = (info) => console.log(info);',
    'publishMedia(stream, media);',
    ...statement('stream.publish(', mode === 'live' ? [name || 'cam'] : [name || 'cam', mode]),
  );
  return text(lines);
}

/** `begin`, the values, and the end; in several lines when one is too long. */
function statement(begin: string, values: readonly unknown[]): string[] {
  const line = `${begin}${values.map((value) => literal(value)).join(', ')});`;
  if (line.length <= LINE && !line.includes('\n')) return [line];
  return [begin, ...values.map((value) => `  ${literal(value, '  ')},`), ');'];
}

function text(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}
