/** An SMTP reply: code (RFC 5321 §4.2), enhanced status (RFC 3463) and text. */
export interface Reply {
  code: number;
  status: string;
  text: string;
}

export const reply = (code: number, status: string, text: string): Reply => ({ code, status, text });
