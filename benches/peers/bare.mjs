// What the small servers have in common. They speak what Stentor's generator speaks to it, and do no more than the bare
// servers of `benches/src/floor`: a publish is cut at known places, not parsed, and its answer is always the same.

export const ANSWER =
  '{"channel":"bench-0","action":"m","event":"message","created_at_ms":1700000000000}';
export const SUBSCRIBED = '{"action":"subscribed","channel":"bench-0","presence":[]}';
export const TOKEN = '{"token":"t"}';
export const VERSION = '{"name":"broadcaster"}';
export const PUBLISHES = '/edge/realtime';
export const MINTS = '/edge/realtime/token';
export const PORT = Number(process.argv[2]);

/** The text for subscribers of a publish: `{"channel":…,"event":…,"data":…}`, perhaps with `"persist":false` at its end. */
export function messageOf(body) {
  const event = body.indexOf(',"event":');
  const data = body.indexOf(',"data":', event);
  const name = body.slice(event + 9, data);
  const end = body.endsWith(',"persist":false}') ? -17 : -1;
  return `{"action":${name},"event":${name},${body.slice(1, event)}${body.slice(data, end)},"created_at_ms":1700000000000}`;
}

/** The channel's name in a publish. */
export function channelOf(body) {
  return body.slice(12, body.indexOf('"', 12));
}
