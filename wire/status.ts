/** How serious a status is: lower case on the wire. */
export type StatusLevel = 'status' | 'warning' | 'error';

/** Every code an information object can carry, with the level that goes with it. */
export const statusLevels = {
  'NetConnection.Admin.CommandFailed': 'error',
  'NetConnection.Call.BadVersion': 'error',
  'NetConnection.Call.Failed': 'error',
  'NetConnection.Call.Prohibited': 'error',
  'NetConnection.Connect.AppShutdown': 'error',
  'NetConnection.Connect.Closed': 'status',
  'NetConnection.Connect.Failed': 'error',
  'NetConnection.Connect.IdleTimeout': 'status',
  'NetConnection.Connect.InvalidApp': 'error',
  'NetConnection.Connect.NetworkChange': 'status',
  // Enhanced RTMP v2: please connect again, to `tcUrl` if it is given.
  'NetConnection.Connect.ReconnectRequest': 'status',
  'NetConnection.Connect.Rejected': 'error',
  'NetConnection.Connect.Success': 'status',

  'NetStream.Buffer.Empty': 'status',
  'NetStream.Buffer.Flush': 'status',
  'NetStream.Buffer.Full': 'status',
  'NetStream.Clear.Failed': 'error',
  'NetStream.Clear.Success': 'status',
  'NetStream.Connect.Closed': 'status',
  'NetStream.Connect.Failed': 'error',
  'NetStream.Connect.Rejected': 'error',
  'NetStream.Connect.Success': 'status',
  'NetStream.Data.Start': 'status',
  'NetStream.Failed': 'error',
  'NetStream.MulticastStream.Reset': 'status',
  'NetStream.Pause.Notify': 'status',
  'NetStream.Play.Complete': 'status',
  'NetStream.Play.Failed': 'error',
  'NetStream.Play.FileStructureInvalid': 'error',
  'NetStream.Play.InsufficientBW': 'warning',
  'NetStream.Play.NoSupportedTrackFound': 'error',
  'NetStream.Play.PublishNotify': 'status',
  'NetStream.Play.Reset': 'status',
  'NetStream.Play.Start': 'status',
  'NetStream.Play.Stop': 'status',
  'NetStream.Play.StreamNotFound': 'error',
  'NetStream.Play.Switch': 'status',
  'NetStream.Play.Transition': 'status',
  'NetStream.Play.TransitionComplete': 'status',
  'NetStream.Play.UnpublishNotify': 'status',
  'NetStream.Publish.BadName': 'error',
  'NetStream.Publish.Idle': 'status',
  'NetStream.Publish.Start': 'status',
  'NetStream.Record.AlreadyExists': 'status',
  'NetStream.Record.DiskQuotaExceeded': 'error',
  'NetStream.Record.Failed': 'error',
  'NetStream.Record.NoAccess': 'error',
  'NetStream.Record.Start': 'status',
  'NetStream.Record.Stop': 'status',
  'NetStream.Seek.Failed': 'error',
  'NetStream.Seek.InvalidTime': 'error',
  'NetStream.Seek.Notify': 'status',
  'NetStream.SeekStart.Notify': 'status',
  'NetStream.Step.Notify': 'status',
  'NetStream.Unpause.Notify': 'status',
  'NetStream.Unpublish.Success': 'status',
  'NetStream.Video.DimensionChange': 'status',

  'SharedObject.BadPersistence': 'error',
  'SharedObject.Flush.Failed': 'error',
  'SharedObject.Flush.Success': 'status',
  'SharedObject.NoReadAccess': 'error',
  'SharedObject.NoWriteAccess': 'error',
  'SharedObject.ObjectCreationFailed': 'error',
  'SharedObject.UriMismatch': 'error',

  // These are told to server scripts only.
  'Application.GC': 'status',
  'Application.Reload': 'status',
  'Application.Resource.LowMemory': 'warning',
  'Application.Script.Error': 'error',
  'Application.Script.Warning': 'warning',
  'Application.Shutdown': 'status',
} as const satisfies Record<string, StatusLevel>;

export type StatusCode = keyof typeof statusLevels;

/** The reason carried by `NetStream.Play.Transition`. */
export type TransitionReason = 'NetStream.Transition.Success' | 'NetStream.Transition.Forced';

/** What every information object starts with. Others add to it: `details`, `clientid`, `application`, `ex`. */
export interface Status {
  level: StatusLevel;
  code: StatusCode;
  description: string;
}

/** A code with the level that belongs to it. */
export function status(code: StatusCode, description = ''): Status {
  return { level: statusLevels[code], code, description };
}

/** The wording of Flash Media Server. Clients must not parse it, and some do. */
export const describe = {
  connected: () => 'Connection succeeded.',
  playReset: (name: string) => `Playing and resetting ${name}.`,
  playStarted: (name: string) => `Started playing ${name}.`,
  playStopped: (name: string) => `Stopped playing ${name}.`,
  published: (name: string) => `${name} is now published.`,
  unpublished: (name: string) => `${name} is now unpublished.`,
  idle: (name: string) => `${name} is published, and nothing is sent.`,
  paused: (name: string) => `Pausing ${name}.`,
  unpaused: (name: string) => `Unpausing ${name}.`,
  seeking: (positionMs: number, streamId: number) => `Seeking ${positionMs} (stream ID: ${streamId}).`,
  streamNotFound: (name: string) => `Failed to play ${name}; stream not found.`,
  alreadyPublishing: (name: string) => `${name} is already publishing`,
} as const;
