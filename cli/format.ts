const WHOLE = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const ONE_DIGIT = new Intl.NumberFormat('en-US', { maximumFractionDigits: 1 });

/** 12,345 */
export function count(value: number): string {
  return WHOLE.format(value);
}

/** 1,234/s, and 0.4/s where whole numbers would say nothing. */
export function perSecond(value: number): string {
  return `${value < 10 ? ONE_DIGIT.format(value) : WHOLE.format(value)}/s`;
}

/** 8 s, 3 min 20 s, 5 h 3 min, 2 d 4 h */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  if (seconds < 10) return `${ONE_DIGIT.format(seconds)} s`;
  if (whole < 60) return `${whole} s`;
  if (whole < 3_600) return two(whole, 60, 'min', 1, 's');
  if (whole < 86_400) return two(whole, 3_600, 'h', 60, 'min');
  return two(whole, 86_400, 'd', 3_600, 'h');
}

function two(seconds: number, big: number, bigName: string, small: number, smallName: string): string {
  const rest = Math.floor((seconds % big) / small);
  return `${Math.floor(seconds / big)} ${bigName}${rest === 0 ? '' : ` ${rest} ${smallName}`}`;
}

/** 2026-01-31 12:05:09 in the reader's own time zone. */
export function dateTime(date: Date): string {
  const digits = (value: number, length = 2) => String(value).padStart(length, '0');
  const day = `${digits(date.getFullYear(), 4)}-${digits(date.getMonth() + 1)}-${digits(date.getDate())}`;
  return `${day} ${digits(date.getHours())}:${digits(date.getMinutes())}:${digits(date.getSeconds())}`;
}

/** What comes from elsewhere on one line, without anything that a terminal would obey. */
export function oneLine(text: string, length = Number.POSITIVE_INFINITY): string {
  const clean = text.replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ').trim();
  return clean.length <= length ? clean : `${clean.slice(0, length - 1)}…`;
}
