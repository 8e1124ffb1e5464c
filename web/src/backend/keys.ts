// One's own API keys: each lets programs in as oneself.
import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import * as api from '../api';
import type { ApiKey, ApiKeyInfo } from '../api';
import { pageQuery, type Page, type PageRequest } from './queries';
import { useSession } from './services';

export type { ApiKeyInfo };

const useUserId = () => useSession().claims?.userId ?? '';

export function useApiKeys(request: PageRequest) {
  const userId = useUserId();
  return useQuery({
    queryKey: ['keys', userId, request],
    queryFn: async ({ signal }): Promise<Page<ApiKeyInfo>> => (await api.getUserApiKeys({ path: { userId }, query: pageQuery(request), signal })).data,
    placeholderData: keepPreviousData,
  });
}

function useKeyChange<Input, Result>(mutationFn: (input: Input) => Promise<Result>) {
  const queries = useQueryClient();
  return useMutation({ mutationFn, onSuccess: () => queries.invalidateQueries({ queryKey: ['keys'] }) });
}

/** Makes a key; it ends at `expires`, ms, and never without. */
export function useCreateKey() {
  const id = useUserId();
  return useKeyChange(
    async ({ description, expires }: { description: string; expires: number | null }): Promise<ApiKey> =>
      (await api.createApiKey({ body: { userId: { entityType: 'USER', id }, description, expirationTime: expires } })).data,
  );
}

export const useEnableKey = () =>
  useKeyChange(async ({ apiKeyId, enabled }: { apiKeyId: string; enabled: boolean }) => {
    await api.enableApiKey({ path: { apiKeyId, enabled } });
  });

export const useDeleteKey = () =>
  useKeyChange(async (apiKeyId: string) => {
    await api.deleteApiKey({ path: { apiKeyId } });
  });
