/** `node publisher.ts URL NAME`: publishes and says so, then sends a picture now and then, until it is killed. */
import { keyFrame } from './media.ts';
import { RtmpClient } from './rtmp-client.ts';

const [url = '', name = ''] = process.argv.slice(2);
const client = await RtmpClient.dial(url);
await client.connect();
const stream = await client.createStream();
const { code } = await stream.publish(name);
if (code !== 'NetStream.Publish.Start') throw new Error(code);
let at = 0;
setInterval(() => {
  at += 100;
  stream.video(at, keyFrame(at));
}, 100);
console.log('publishing');
