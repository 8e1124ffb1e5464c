import { expect, test } from 'vitest';
import { curlCommand } from './commands';

test('the curl command survives a shell, whatever stands in token and body', () => {
  expect(curlCommand('http://127.0.0.1:8080', "a'b c", { note: "it's" })).toBe(
    `curl -X POST 'http://127.0.0.1:8080/api/v1/a'\\''b%20c/telemetry' \\\n  -H 'Content-Type: application/json' \\\n  -d '{"note":"it'\\''s"}'`,
  );
});
