// Who may come in, and who did: API tokens, sessions, the audit log.
import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import * as api from '../api';
import type { ApiToken, ApiTokenRequest, ApiTokenScope, ApiTokenSecret, AuditLog, Session } from '../api';
import { pageQuery, type Page, type PageRequest } from './queries';

export type { ApiToken, ApiTokenScope, ApiTokenSecret, AuditLog, Session };

export function useApiTokens(request: PageRequest) {
  return useQuery({
    queryKey: ['tokens', request],
    queryFn: async ({ signal }): Promise<Page<ApiToken>> => (await api.getApiTokens({ query: pageQuery(request), signal })).data,
    placeholderData: keepPreviousData,
  });
}

function useTokenChange<Input, Result>(mutationFn: (input: Input) => Promise<Result>) {
  const queries = useQueryClient();
  return useMutation({ mutationFn, onSuccess: () => queries.invalidateQueries({ queryKey: ['tokens'] }) });
}

export const useCreateToken = () =>
  useTokenChange(async (body: ApiTokenRequest): Promise<ApiTokenSecret> => (await api.createApiToken({ body })).data);

/** Gives a token a new text; the one it has works on for some seconds. */
export const useRotateToken = () =>
  useTokenChange(
    async ({ tokenId, overlapSeconds }: { tokenId: string; overlapSeconds: number }): Promise<ApiTokenSecret> =>
      (await api.rotateApiToken({ path: { tokenId }, query: { overlapSeconds } })).data,
  );

export const useRevokeToken = () =>
  useTokenChange(async (tokenId: string) => {
    await api.revokeApiToken({ path: { tokenId } });
  });

export function useSessions() {
  return useQuery({
    queryKey: ['sessions'],
    queryFn: async ({ signal }): Promise<Session[]> => (await api.getSessions({ signal })).data,
  });
}

export function useEndSession() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async (sessionId: string) => {
      await api.endSession({ path: { sessionId } });
    },
    onSuccess: () => queries.invalidateQueries({ queryKey: ['sessions'] }),
  });
}

export function useAuditLog(request: PageRequest) {
  return useQuery({
    queryKey: ['audit', request],
    queryFn: async ({ signal }): Promise<Page<AuditLog>> => (await api.getAuditLogs({ query: pageQuery(request), signal })).data,
    placeholderData: keepPreviousData,
  });
}

/** All entries that a search lets through, as CSV. */
export async function fetchAuditCsv(textSearch: string): Promise<Blob> {
  const { data } = await api.getAuditLogs({ query: textSearch ? { textSearch } : {}, headers: { Accept: 'text/csv' }, parseAs: 'blob' });
  return data as unknown as Blob;
}
