'use strict';

const button = document.querySelector('button');

function show(wanted) {
  for (const part of document.querySelectorAll('[data-part]')) {
    part.hidden = part.dataset.part !== wanted;
  }
}

function say(what, text) {
  document.querySelector(`[data-said="${what}"]`).textContent = text;
}

async function logOut() {
  const answer = await fetch(location.pathname, { method: 'POST', cache: 'no-store', redirect: 'error' });
  const said = await answer.json();
  if (answer.ok) {
    show('done');
  } else {
    say('reason', `${said.reason}: ${said.detail}`);
    say('request', said.request_id);
    show('failed');
  }
}

button.addEventListener('click', () => {
  button.disabled = true;
  logOut().catch(() => show('unreachable'));
});
