// The pages, as text. Everything that a user has typed goes through `escape`.

function escape(text) {
  return String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

function page(title, body) {
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>${escape(title)}</title>
<h1>${escape(title)}</h1>
${body}
</html>
`;
}

function button(action, text) {
  return `<form method="post" action="${escape(action)}"><button>${escape(text)}</button></form>`;
}

export function home(session, name) {
  const cart = Object.keys(session?.data.cart ?? {});
  const who = name
    ? `<p id="who">Logged in as ${escape(name)}. <a href="/account">Account</a></p>`
    : '<p id="who">Not logged in. <a href="/login">Log in</a></p>';
  return page('Shop', `${who}
<p id="cart">Cart: ${cart.map(escape).join(', ') || 'empty'}</p>
<form method="post" action="/cart"><input name="item"><button>Add</button></form>`);
}

export function login(message = '') {
  return page('Log in', `<p id="message">${escape(message)}</p>
<form method="post"><input name="name"><input name="password" type="password"><button>Log in</button></form>`);
}

export function account(name, devices) {
  const rows = devices.map((device) => `<tr><td>${escape(device.data.device ?? '?')}${device.current ? ' (this one)' : ''}</td>
<td>${new Date(device.seen_at).toISOString()}</td>
<td>${device.current ? '' : button(`/account/devices/${device.handle}/end`, 'Log out')}</td></tr>`);
  return page(`Account of ${name}`, `<table id="devices">${rows.join('\n')}</table>
${button('/logout', 'Log out')}
${button('/logout-others', 'Log out everywhere else')}
${button('/logout-everywhere', 'Log out everywhere')}`);
}

export function article({ title, body }) {
  return page(title, `<p>${escape(body)}</p>`);
}
