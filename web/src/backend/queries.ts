// What pages ask of the REST API, as react-query hooks. The wire types are the generated ones.

import { keepPreviousData, queryOptions, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import * as api from '../api';
import type { Customer, DashboardInfo, Device, DeviceInfo, EntityId, EntityType, User } from '../api';
import type { EntityId as LiveEntityId } from '../live/protocol';
import type { History, HistoryQuery } from '../chart/feed';
import type { Span } from '../time/range';
import { useSession } from './services';

export type { Customer, Dashboard, DashboardInfo, Device, DeviceInfo, EntityId, User } from '../api';

export interface Page<T> {
  data: T[];
  totalPages: number;
  totalElements: number;
  hasNext: boolean;
}

export interface PageRequest {
  page: number;
  pageSize: number;
  textSearch: string;
  sortProperty?: string;
  sortOrder?: 'ASC' | 'DESC';
}

export const pageQuery = ({ page, pageSize, textSearch, sortProperty, sortOrder }: PageRequest) => ({
  page,
  pageSize,
  ...(textSearch ? { textSearch } : {}),
  ...(sortProperty ? { sortProperty, sortOrder: sortOrder ?? 'ASC' } : {}),
});

/** The customer whose part of the tenant a user sees; undefined for those who see all of it. */
export function useOwnCustomer(): string | undefined {
  const { claims } = useSession();
  return claims?.authority === 'CUSTOMER_USER' ? claims.customerId : undefined;
}

export function useDevices(request: PageRequest) {
  const customerId = useOwnCustomer();
  return useQuery({
    queryKey: ['devices', customerId, request],
    queryFn: async ({ signal }): Promise<Page<DeviceInfo>> => {
      const query = pageQuery(request);
      return customerId
        ? (await api.getCustomerDeviceInfos({ path: { customerId }, query, signal })).data
        : (await api.getTenantDeviceInfos({ query, signal })).data;
    },
    placeholderData: keepPreviousData,
    // New devices appear in an open list; what the rows show moves by itself.
    refetchInterval: 15_000,
  });
}

export function useDevice(deviceId: string) {
  return useQuery({
    queryKey: ['device', deviceId],
    queryFn: async ({ signal }) => (await api.getDeviceInfo({ path: { deviceId }, signal })).data,
    refetchInterval: 15_000,
  });
}

export function useCredentials(deviceId: string, enabled: boolean) {
  return useQuery({
    queryKey: ['credentials', deviceId],
    queryFn: async ({ signal }) => (await api.getDeviceCredentials({ path: { deviceId }, signal })).data,
    enabled,
  });
}

export interface NewDevice {
  name: string;
  type: string;
  label: string;
}

export function useCreateDevice() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async ({ name, type, label }: NewDevice): Promise<Device> =>
      (await api.saveDevice({ body: { name, type: type || null, label: label || null } })).data,
    onSuccess: () => queries.invalidateQueries({ queryKey: ['devices'] }),
  });
}

export function useDeleteDevice() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async (deviceId: string) => {
      await api.deleteDevice({ path: { deviceId } });
    },
    onSuccess: (_, deviceId) => {
      queries.removeQueries({ queryKey: ['device', deviceId] });
      return queries.invalidateQueries({ queryKey: ['devices'] });
    },
  });
}

/** Types of the latest values, which their text does not always tell: "true" may be a string. */
export function typedLatestQuery(entity: LiveEntityId, keys: readonly string[]) {
  return queryOptions({
    queryKey: ['typed', entity.id, keys],
    queryFn: async ({ signal }): Promise<Record<string, unknown>> => {
      const { data } = await api.getTimeseries({ path: path(entity), query: { key: [...keys], useStrictDataTypes: true }, signal });
      return Object.fromEntries(Object.entries(data).map(([key, points]) => [key, points[0]?.value]));
    },
    enabled: keys.length > 0,
    staleTime: 60_000,
  });
}

export function useTypedLatest(entity: LiveEntityId, keys: readonly string[]) {
  return useQuery({ ...typedLatestQuery(entity, keys), placeholderData: keepPreviousData });
}

const path = (entity: LiveEntityId) => ({ entityType: entity.entityType as EntityType, entityId: entity.id });

const text = (value: unknown): string | null =>
  value === null || value === undefined ? null : typeof value === 'string' ? value : JSON.stringify(value);

/** History of some keys of one entity, as text of the wire. */
export async function fetchHistory(entity: LiveEntityId, query: HistoryQuery, signal?: AbortSignal): Promise<History> {
  const { data } = await api.getTimeseriesHistory({
    path: path(entity),
    query: {
      key: [...query.keys],
      startTs: Math.floor(query.from),
      endTs: Math.ceil(query.to),
      agg: query.agg,
      interval: query.interval,
      limit: query.limit,
      orderBy: query.orderBy ?? 'DESC',
    },
    ...(signal ? { signal } : {}),
  });
  return Object.fromEntries(Object.entries(data).map(([key, points]) => [key, points.map((p) => [p.ts, text(p.value)] as const)]));
}

/** Every point of some keys of one entity, oldest first, as CSV. */
export async function fetchHistoryCsv(entity: LiveEntityId, keys: readonly string[], span: Span): Promise<Blob> {
  const { data } = await api.getTimeseriesHistory({
    path: path(entity),
    query: { key: [...keys], startTs: Math.floor(span.from), endTs: Math.ceil(span.to), orderBy: 'ASC' },
    headers: { Accept: 'text/csv' },
    parseAs: 'blob',
  });
  return data as unknown as Blob;
}

/** As far back and ahead as dates reach that a person would send. */
export const timeBounds: Span = { from: 0, to: 253402300800000 };

/** First and last known ts of some keys. */
export async function fetchExtent(entity: LiveEntityId, keys: readonly string[], signal?: AbortSignal): Promise<Span | undefined> {
  const ends = { ...timeBounds, keys, agg: 'NONE' as const, interval: 0, limit: 1 };
  const [first, last] = await Promise.all([
    fetchHistory(entity, { ...ends, orderBy: 'ASC' }, signal),
    fetchHistory(entity, { ...ends, orderBy: 'DESC' }, signal),
  ]);
  const ts = [...Object.values(first), ...Object.values(last)].flatMap((points) => points.map((p) => p[0]));
  return ts.length > 0 ? { from: Math.min(...ts), to: Math.max(...ts) } : undefined;
}

export function useDashboards(request: PageRequest) {
  const customerId = useOwnCustomer();
  return useQuery({
    queryKey: ['dashboards', customerId, request],
    queryFn: async ({ signal }): Promise<Page<DashboardInfo>> => {
      const query = pageQuery(request);
      return customerId
        ? (await api.getCustomerDashboards({ path: { customerId }, query, signal })).data
        : (await api.getTenantDashboards({ query, signal })).data;
    },
    placeholderData: keepPreviousData,
  });
}

export function useDashboard(dashboardId: string) {
  return useQuery({
    queryKey: ['dashboard', dashboardId],
    queryFn: async ({ signal }) => (await api.getDashboard({ path: { dashboardId }, signal })).data,
  });
}

export function useCustomers(request: PageRequest, enabled = true) {
  return useQuery({
    queryKey: ['customers', request],
    queryFn: async ({ signal }): Promise<Page<Customer>> => (await api.getCustomers({ query: pageQuery(request), signal })).data,
    placeholderData: keepPreviousData,
    enabled,
  });
}

export function useUsers(request: PageRequest) {
  return useQuery({
    queryKey: ['users', request],
    queryFn: async ({ signal }): Promise<Page<User>> => (await api.getUsers({ query: pageQuery(request), signal })).data,
    placeholderData: keepPreviousData,
  });
}

export function useCreateCustomer() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async (title: string) => (await api.saveCustomer({ body: { title } })).data,
    onSuccess: () => queries.invalidateQueries({ queryKey: ['customers'] }),
  });
}

export interface NewUser {
  email: string;
  firstName: string;
  lastName: string;
  customer: EntityId;
}

/** Creates a user of a customer; the answer is the link under which the password is chosen. */
export function useCreateUser() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async ({ email, firstName, lastName, customer }: NewUser): Promise<string> => {
      const body = {
        email,
        authority: 'CUSTOMER_USER' as const,
        customerId: customer,
        firstName: firstName || null,
        lastName: lastName || null,
      };
      const user = (await api.saveUser({ body, query: { sendActivationMail: false } })).data;
      return (await api.getActivationLink({ path: { userId: user.id.id }, parseAs: 'text' })).data;
    },
    onSuccess: () => queries.invalidateQueries({ queryKey: ['users'] }),
  });
}
