// A chat on InsForge's SDK. What is said is shown once it comes back: there is no other answer to a message.
import { AuthChangeEvent, createClient } from '@insforge/sdk';

const CHANNEL = new URLSearchParams(location.search).get('channel') ?? 'chat:lobby';
const RENEW_MS = 10 * 60 * 1000;

const by = (id) => document.getElementById(id);
const tell = (text) => (by('status').textContent = text);
const line = (...content) => {
  const item = document.createElement('li');
  item.append(...content);
  return item;
};

async function session(name) {
  const answer = await fetch('/session', { method: 'POST', body: JSON.stringify({ name }) });
  return answer.json();
}

/** Shows a message in its place, once. Ids rise with time, so history and what comes live can be mixed. */
function show({ text, meta }) {
  const list = by('messages');
  const items = [...list.children];
  if (items.some((it) => it.id === meta.messageId)) return;
  const name = Object.assign(document.createElement('b'), { textContent: meta.senderId ?? 'somebody' });
  const item = Object.assign(line(name, text), { id: meta.messageId });
  list.insertBefore(item, items.find((it) => it.id > item.id) ?? null);
}

async function enter(name) {
  const { url, token } = await session(name);
  let current = token;
  const insforge = createClient({ baseUrl: url, accessToken: token });
  const { realtime } = insforge;
  // A connection outlives its token. The next one, after a loss, needs one that is still good.
  setInterval(async () => {
    current = (await session(name)).token;
    insforge.setAccessToken(current, AuthChangeEvent.TOKEN_REFRESHED);
  }, RENEW_MS);

  const showMembers = () => {
    const names = realtime.getPresenceState(CHANNEL).map((it) => it.presenceId);
    by('members').replaceChildren(...names.sort().map((it) => line(it)));
  };
  realtime.on('said', show);
  realtime.on('presence:join', showMembers);
  realtime.on('presence:leave', showMembers);
  realtime.on('error', ({ message }) => tell(message));
  realtime.on('disconnect', () => tell('not connected'));
  // The first time and every time after a loss: the SDK comes back to its channels, and what was missed is in the history.
  realtime.on('connect', async () => {
    const answer = await realtime.subscribe(CHANNEL);
    if (!answer.ok) return tell(answer.error.message);
    showMembers();
    const headers = { Authorization: `Bearer ${current}` };
    const past = await fetch(`/history?${new URLSearchParams({ channel: CHANNEL })}`, { headers });
    (await past.json()).forEach(show);
    tell(`connected as ${name}`);
  });
  await realtime.connect();

  by('say').onsubmit = async (event) => {
    event.preventDefault();
    const { text } = event.target.elements;
    try {
      await realtime.publish(CHANNEL, 'said', { text: text.value });
      text.value = '';
    } catch (why) {
      tell(why.message);
    }
  };
}

by('enter').onsubmit = async (event) => {
  event.preventDefault();
  try {
    await enter(event.target.elements.name.value);
    event.target.hidden = true;
    document.querySelector('main').hidden = false;
  } catch (why) {
    tell(why.message);
  }
};
