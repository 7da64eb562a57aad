/** An application that has declared what its clients can do. `npm run check` compiles it: each line under a @ts-expect-error must be wrong. */
declare global {
  interface ClientMethods {
    say(from: string, text: string): void;
    score(): number;
    ask(question: string): Promise<string>;
  }
}

interface Member extends Client {
  nick: string;
}

application.onConnect = (client, nick: unknown) => {
  (client as Member).nick = String(nick);
  return true;
};
application.onConnect = async () => true;
application.onConnect = () => undefined;
// @ts-expect-error only a boolean decides
application.onConnect = () => 'yes';
// @ts-expect-error there is no such handler argument
application.onPublish = (client: Client, stream: Stream, extra: number) => void [client, stream, extra];

declare const client: Client;

client.call('say', null, 'me', 'hello');
client.call('say', { onResult: () => {}, onStatus: (info) => trace(info.code) }, 'me', 'hello');
// @ts-expect-error clients have no such method
client.call('sing', null);
// @ts-expect-error the text is missing
client.call('say', null, 'me');
// @ts-expect-error a number is no text
client.call('say', null, 'me', 7);

const score: number = await client.invoke('score');
const answer: string = await client.invoke('ask', 'why?');
const within: number = await client.invoke({ method: 'score', timeoutMs: 500 });
const asked = await client.invoke<{ x: number }>('ask', 'where?');
trace([score, answer, within, asked.x]);
// @ts-expect-error a score is a number
trace((await client.invoke('score')).length);
// @ts-expect-error milliseconds are a number
await client.invoke({ method: 'score', timeoutMs: '500' });
// @ts-expect-error score takes nothing
await client.invoke('score', 1);

application.broadcastMsg('say', 'me', 'hello');
// @ts-expect-error a number is no name
application.broadcastMsg('say', 1, 'hello');
// @ts-expect-error nobody can dance
application.broadcastMsg('dance');

application.expose({
  rename(name: string) {
    trace(this.id + name);
  },
  add: { args: (args) => args.length === 2, call: (a: number, b: number) => a + b },
  checked: { args: { parse: (args: unknown) => args }, call: () => 1 },
});
// @ts-expect-error a number is no method
application.expose({ rename: 7 });
// @ts-expect-error a check without a method
application.expose({ add: { args: () => true } });
application.expose({ add: { perSecond: 5, call: () => 1 } });
// @ts-expect-error how often is a number
application.expose({ add: { perSecond: 'often', call: () => 1 } });

client.readAccess = 'public';
// @ts-expect-error paths are text
client.readAccess = ['public'];
// @ts-expect-error the server gives ids
client.id = 'mine';
client.setBandwidthLimit(100_000);
// @ts-expect-error there are two directions
client.getBandwidthLimit(2);
const { bytes_in: bytesIn, ping_rtt: rtt }: { bytes_in: number; ping_rtt: number } = client.getStats();
trace(bytesIn + rtt + application.getStats().connected);
// @ts-expect-error nobody counts those
trace(client.getStats().wishes);

application.rejectConnection(client, 'full', { seats: 3 });
application.redirectConnection(client, 'rtmp://other/app');
// @ts-expect-error an address is text
application.redirectConnection(client, 7);
// @ts-expect-error no client
application.disconnect('client');
application.on('connect', (who) => trace(who.id));
application.on('publish', (who, stream) => trace(who.id + stream.name));
// @ts-expect-error there is no such event
application.on('explode', () => {});
// @ts-expect-error nobody gives a stream to those who connect
application.on('connect', (who: Client, stream: Stream) => trace(stream.name + who.id));
client.on('disconnect', function () {
  trace(this.id);
});
// @ts-expect-error a client has one event
client.on('connect', () => {});

interface Board {
  topic: string;
  list: { x: number }[];
  when: Date;
}
const board = SharedObject.get<Board>('board');
const topic: string | undefined = board.data.topic;
board.data.list = [...(board.data.list ?? []), { x: 1 }];
board.data.when = new Date(board.data.when?.setTime(0) ?? 0);
delete board.data.topic;
board.data.topic = undefined;
board.setProperty('topic', null);
const names: ('topic' | 'list' | 'when')[] = board.getPropertyNames();
board.getProperty('list')?.push({ x: 2 });
trace([topic, names, 'topic' in board.data, { ...board.data }, Object.keys(board.data)]);
// @ts-expect-error a topic is text
board.data.topic = 7;
// @ts-expect-error there is no such slot
board.data.colour = 'red';
// @ts-expect-error it may not be there
trace(board.data.topic.length);
// @ts-expect-error what a slot holds is frozen
board.data.list?.push({ x: 3 });
// @ts-expect-error all the way down
for (const point of board.data.list ?? []) point.x = 3;
// @ts-expect-error the slots are set one by one
board.data = {};
// @ts-expect-error there is no such slot
board.getProperty('colour');
// @ts-expect-error a list is no text
board.setProperty('list', 'a');
const anything = SharedObject.get('anything');
const elsewhere = SharedObject.get<Board>('board', false, new NetConnection());
elsewhere.onSync = (list) => trace(list.filter(({ code }) => code === 'reject').length);
// @ts-expect-error: a connection, and not where it leads
SharedObject.get('board', false, 'rtmp:/far');
anything.data.list.push(1);
anything.data.colour = 'red';
anything.setProperty('colour', anything.getProperty('paint').colour);
board.onSync = (list) => {
  for (const { client: author, code } of list) trace(author?.id + code);
  // @ts-expect-error who made a change may have left
  for (const { client: author } of list) trace(author.id);
};
board.setProperty('topic', 'here', { until: client });
// @ts-expect-error a slot goes with a client
board.setProperty('topic', 'here', { until: 'client' });
board.authorize = ({ client: author, code, name, value, oldValue }) =>
  author.id !== '' && code !== 'clear' && name in board.data && (value !== oldValue || { value: 1 });
// @ts-expect-error it decides at once
board.authorize = async () => true;
// @ts-expect-error a text decides nothing
board.authorize = () => 'yes';
// @ts-expect-error there is no such code
board.authorize = ({ code }) => code === 'write';
board.authorize = undefined;
const counted: number = board.transaction(() => {
  board.data.topic = 'all at once';
  return board.size();
});
board.transaction(() => board.clear());
board.transaction(() => {});
// @ts-expect-error nobody waits in a transaction
board.transaction(async () => 1);
// @ts-expect-error a transaction is a function
board.transaction(counted);
const unwatch: () => void = board.watch('list', (list, { client: author, oldValue, code }) => {
  trace([list?.length, oldValue?.[0]?.x, code === 'clear', author?.id]);
  // @ts-expect-error what a slot holds is frozen
  list?.pop();
});
unwatch();
// @ts-expect-error there is no such slot
board.watch('colour', () => {});
// @ts-expect-error the value is text
board.watch('topic', (value: number) => trace(value));
anything.watch('any', (value) => trace(value.whatever));
// @ts-expect-error slots are an object's
SharedObject.get<string>('board');

trace(new RpcError('Game.Full', 'no seat left', { seats: 4 }).data);
// @ts-expect-error a code is needed
trace(new RpcError());

export {};
