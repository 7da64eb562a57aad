// `node server.mjs PORT`: RTMP with the settings of its README. Prints `ready PORT`.
import { connect } from 'node:net';
import NodeMediaServer from 'node-media-server';

const port = Number(process.argv[2]);
const rtmp = { port, chunk_size: 60000, gop_cache: true, ping: 30, ping_timeout: 60 };
new NodeMediaServer({ logType: 0, rtmp }).run();

// It tells nobody when it listens.
const knock = () => {
  const socket = connect(port, '127.0.0.1', () => {
    socket.destroy();
    console.log(`ready ${port}`);
  });
  socket.on('error', () => setTimeout(knock, 50));
};
knock();
