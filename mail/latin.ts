/**
 * Latin letters of a text less its characters beyond ASCII and its controls: above zero, quoted-printable (or Q in a header)
 * is the shorter encoding, about, else base64 (B). The composer chooses by the same count.
 */
export function latinMargin(text: string): number {
  let margin = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code >= 0x80 || (code < 0x20 && code !== 9 && code !== 10 && code !== 13)) margin--;
    else if ((code | 0x20) >= 0x61 && (code | 0x20) <= 0x7a) margin++;
  }
  return margin;
}
