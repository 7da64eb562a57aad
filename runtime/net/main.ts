import { reserveMethods } from '../shared.ts';
import { find, NetConnection, receive } from './net-connection.ts';
import { NetStream, receiveStatus } from './net-stream.ts';

const net = { NetConnection, NetStream, find, receive, receiveStatus };
reserveMethods(NetConnection.prototype);

/** The entry of the bundle that runtime/net.ts evaluates. */
declare const give: (loaded: typeof net) => void;
give(net);

export type Net = typeof net;
