// Failures of the API, in one form: REST answers JSON, telemetry routes plain text, and the
// network nothing at all.

export class ApiError extends Error {
  override name = 'ApiError';

  constructor(
    message: string,
    /** HTTP status; 0 when the server could not be reached. */
    readonly status: number,
    /** The contract's error code; undefined where the body was text. */
    readonly code?: number,
  ) {
    super(message);
  }
}

/** Makes an ApiError of what the generated client throws. */
export function toApiError(error: unknown, response: Response | undefined): ApiError {
  if (error instanceof ApiError) return error;
  if (!response) return new ApiError('The server cannot be reached.', 0);
  if (typeof error === 'object' && error !== null && 'message' in error && typeof error.message === 'string') {
    const code = 'errorCode' in error && typeof error.errorCode === 'number' ? error.errorCode : undefined;
    return new ApiError(error.message || fallback(response), response.status, code);
  }
  const text = typeof error === 'string' ? error.trim() : '';
  return new ApiError(text && text.length < 500 && !text.startsWith('<') ? text : fallback(response), response.status);
}

const fallback = (response: Response) => `The server answered ${response.status} ${response.statusText}`.trim() + '.';

/** What a person reads. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export const isNotFound = (error: unknown) => error instanceof ApiError && error.status === 404;
export const isForbidden = (error: unknown) => error instanceof ApiError && error.status === 403;
