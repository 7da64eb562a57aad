import { CapsEx, CodecSupport } from '../../wire/codecs.ts';
import { decodeCommandValues } from '../../wire/commands.ts';
import type { RtmpMessage } from '../../wire/messages.ts';
import type { AmfLimits } from '../../wire/values.ts';
import { parseApp } from './names.ts';
import type { ConnectRequest, Transport } from './ports.ts';
import { isObject } from './stream-commands.ts';

const CODEC_KEYS = ['fourCcList', 'videoFourCcInfoMap', 'audioFourCcInfoMap'];

/** What a client says of itself in the object of its `connect` command (RTMP 1.0, section 7.2.1.1). */
export interface ConnectCommand {
  app: string;
  tcUrl: string;
  flashVer: string;
  swfUrl: string;
  pageUrl: string;
  objectEncoding: 0 | 3;
  /** Of `CapsEx`; undefined when it says nothing. */
  capsEx: number | undefined;
  codecs: CodecSupport;
  /** Whether it speaks of codecs at all. */
  isEnhanced: boolean;
  /** Whether it is a server that knows marks of loops. */
  marksLoops: boolean;
}

/** Throws `E_AMF` for values that no client has reason to put there. */
export function readConnect(message: RtmpMessage, limits: AmfLimits): ConnectCommand {
  const { object } = decodeCommandValues(message, limits, 0);
  const properties = isObject(object) ? object : {};
  const text = (key: string) => {
    const value = properties[key];
    return typeof value === 'string' ? value : '';
  };
  const { capsEx } = properties;
  return {
    app: text('app'),
    tcUrl: text('tcUrl'),
    flashVer: text('flashVer'),
    swfUrl: text('swfUrl'),
    pageUrl: text('pageUrl'),
    objectEncoding: properties.objectEncoding === 3 ? 3 : 0,
    capsEx: typeof capsEx === 'number' ? capsEx : undefined,
    codecs: CodecSupport.announced(properties),
    isEnhanced: CODEC_KEYS.some((key) => Object.hasOwn(properties, key)),
    marksLoops: properties.marksLoops === true,
  };
}

/** What an instance is told of it. Throws `E_NAME` for an application or instance that cannot be. */
export function requestOf(
  connect: ConnectCommand,
  transport: Transport,
  message: RtmpMessage,
): ConnectRequest {
  return {
    ...(transport.place ?? parseApp(connect.app, connect.tcUrl)),
    uri: connect.tcUrl,
    agent: connect.flashVer,
    referrer: connect.swfUrl,
    pageUrl: connect.pageUrl,
    address: transport.address,
    protocol: transport.protocol,
    isSecure: transport.isSecure,
    objectEncoding: connect.objectEncoding,
    canReconnect: ((connect.capsEx ?? 0) & CapsEx.Reconnect) !== 0,
    command: { type: message.type, body: message.payload.slice() },
  };
}
