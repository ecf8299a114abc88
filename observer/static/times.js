// Moments in the viewer's own time and words; the server wrote them in UTC.

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const dated = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

/** "14:02" today, "21 Nov, 14:02" before; always with its day when `full`. */
export function words(iso, full = false) {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return iso;
  const today = at.toDateString() === new Date().toDateString();
  return (today && !full ? clock : dated).format(at);
}

/** A <time> element for a moment. */
export function time(iso, full = false) {
  const element = document.createElement("time");
  element.dateTime = iso;
  element.textContent = words(iso, full);
  element.title = new Date(iso).toLocaleString();
  return element;
}

/** How long until something, so that its width changes seldom: "4:12", "12 s", "1 h 05 min". */
export function countdown(seconds) {
  const whole = Math.max(0, Math.ceil(seconds));
  if (whole < 60) return `${whole} s`;
  const pad = (number) => String(number).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)}:${pad(whole % 60)}`;
  return `${Math.floor(whole / 3600)} h ${pad(Math.floor((whole % 3600) / 60))} min`;
}

for (const element of document.querySelectorAll("time[datetime]")) {
  if (element.dateTime.length > 10) element.replaceWith(time(element.dateTime, "full" in element.dataset));
}
