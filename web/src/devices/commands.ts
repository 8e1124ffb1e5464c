// Commands a person pastes into a shell. Single quotes keep a POSIX shell from touching the body.

const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

export function telemetryUrl(origin: string, token: string): string {
  return `${origin}/api/v1/${encodeURIComponent(token)}/telemetry`;
}

/** A curl call that sends one message of telemetry as the device with this token. */
export function curlCommand(origin: string, token: string, body: object = { temperature: 21.5, humidity: 40 }): string {
  return `curl -X POST ${quote(telemetryUrl(origin, token))} \\\n  -H 'Content-Type: application/json' \\\n  -d ${quote(JSON.stringify(body))}`;
}
