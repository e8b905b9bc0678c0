/* An MQTT client on a small TLS library, for tests: Mbed TLS, or with -DWITH_WOLFSSL wolfSSL. It connects, publishes one message with QoS 1,
 * and stays until it is cut. What happens is a line each on standard output. With Mbed TLS, -DFRAGMENT=... is the length of records that it
 * asks for (MBEDTLS_SSL_MAX_FRAG_LEN_...).
 *
 *   small-client HOST ADDRESS PORT TOPIC MESSAGE CA CERTIFICATE KEY
 *
 * ADDRESS is dialled; HOST is the server name that is asked for, and that the certificate must have. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void said(const char *what, int code) {
  printf("%s %d\n", what, code);
  fflush(stdout);
}

static void failed(const char *what, int code) {
  said(what, code);
  exit(1);
}

#ifdef WITH_WOLFSSL
#include <wolfssl/options.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <wolfssl/ssl.h>

static WOLFSSL *ssl;

static void open_tls(const char *host, const char *address, const char *port, const char *ca, const char *cert, const char *key) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  int got;
  inet_pton(AF_INET, address, &to.sin_addr);
  if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) failed("no-connection", 0);
  wolfSSL_Init();
  WOLFSSL_CTX *context = wolfSSL_CTX_new(wolfTLS_client_method());
  if ((got = wolfSSL_CTX_load_verify_locations(context, ca, NULL)) != WOLFSSL_SUCCESS) failed("bad-authority", got);
  if ((got = wolfSSL_CTX_use_certificate_chain_file(context, cert)) != WOLFSSL_SUCCESS) failed("bad-certificate", got);
  if ((got = wolfSSL_CTX_use_PrivateKey_file(context, key, WOLFSSL_FILETYPE_PEM)) != WOLFSSL_SUCCESS) failed("bad-key", got);
  ssl = wolfSSL_new(context);
  wolfSSL_UseSNI(ssl, WOLFSSL_SNI_HOST_NAME, host, strlen(host));
  wolfSSL_check_domain_name(ssl, host);
  wolfSSL_set_fd(ssl, fd);
  if (wolfSSL_connect(ssl) != WOLFSSL_SUCCESS) failed("refused", wolfSSL_get_error(ssl, 0));
  printf("tls %s\n", wolfSSL_get_version(ssl));
  fflush(stdout);
}

static int write_tls(const unsigned char *bytes, int length) { return wolfSSL_write(ssl, bytes, length); }
static int read_tls(unsigned char *bytes, int length) {
  int got = wolfSSL_read(ssl, bytes, length);
  return got > 0 ? got : -abs(wolfSSL_get_error(ssl, got));
}

#else
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

#ifndef FRAGMENT
#define FRAGMENT MBEDTLS_SSL_MAX_FRAG_LEN_2048
#endif

static mbedtls_ssl_context ssl;

static void open_tls(const char *host, const char *address, const char *port, const char *ca, const char *cert, const char *key) {
  static mbedtls_net_context net;
  static mbedtls_entropy_context entropy;
  static mbedtls_ctr_drbg_context random;
  static mbedtls_x509_crt authorities, own;
  static mbedtls_pk_context private;
  static mbedtls_ssl_config config;
  int got;
  mbedtls_net_init(&net);
  mbedtls_entropy_init(&entropy);
  mbedtls_ctr_drbg_init(&random);
  mbedtls_x509_crt_init(&authorities);
  mbedtls_x509_crt_init(&own);
  mbedtls_pk_init(&private);
  mbedtls_ssl_config_init(&config);
  mbedtls_ssl_init(&ssl);
  mbedtls_ctr_drbg_seed(&random, mbedtls_entropy_func, &entropy, NULL, 0);
  if ((got = mbedtls_x509_crt_parse_file(&authorities, ca)) != 0) failed("bad-authority", got);
  if ((got = mbedtls_x509_crt_parse_file(&own, cert)) != 0) failed("bad-certificate", got);
  if ((got = mbedtls_pk_parse_keyfile(&private, key, NULL)) != 0) failed("bad-key", got);
  if ((got = mbedtls_net_connect(&net, address, port, MBEDTLS_NET_PROTO_TCP)) != 0) failed("no-connection", got);
  mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
  mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_REQUIRED);
  mbedtls_ssl_conf_ca_chain(&config, &authorities, NULL);
  mbedtls_ssl_conf_own_cert(&config, &own, &private);
  mbedtls_ssl_conf_rng(&config, mbedtls_ctr_drbg_random, &random);
  /* As devices do that have no 16 kB for a record. */
  mbedtls_ssl_conf_max_frag_len(&config, FRAGMENT);
  mbedtls_ssl_setup(&ssl, &config);
  mbedtls_ssl_set_hostname(&ssl, host);
  mbedtls_ssl_set_bio(&ssl, &net, mbedtls_net_send, mbedtls_net_recv, NULL);
  if ((got = mbedtls_ssl_handshake(&ssl)) != 0) failed("refused", got);
  printf("tls %s\n", mbedtls_ssl_get_version(&ssl));
  fflush(stdout);
}

static int write_tls(const unsigned char *bytes, int length) { return mbedtls_ssl_write(&ssl, bytes, length); }
static int read_tls(unsigned char *bytes, int length) { return mbedtls_ssl_read(&ssl, bytes, length); }
#endif

/* One packet whose rest is shorter than 128 bytes; its type. */
static int packet(unsigned char *rest) {
  unsigned char head[2];
  int got, have;
  for (have = 0; have < 2; have += got)
    if ((got = read_tls(head + have, 2 - have)) <= 0) failed("closed", got);
  for (have = 0; have < head[1]; have += got)
    if ((got = read_tls(rest + have, head[1] - have)) <= 0) failed("closed", got);
  return head[0];
}

int main(int count, char **given) {
  static const unsigned char CONNECT[] = {0x10, 12, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60, 0, 0};
  unsigned char bytes[128];
  if (count != 9) return 2;
  const char *topic = given[4], *message = given[5];
  int topic_length = strlen(topic), length = 4 + topic_length + strlen(message);
  if (length > 120) return 2;
  open_tls(given[1], given[2], given[3], given[6], given[7], given[8]);
  write_tls(CONNECT, sizeof CONNECT);
  if (packet(bytes) != 0x20 || bytes[1] != 0) failed("not-connected", bytes[1]);
  said("connected", 0);
  bytes[0] = 0x32; /* PUBLISH, QoS 1 */
  bytes[1] = length;
  bytes[2] = 0;
  bytes[3] = topic_length;
  memcpy(bytes + 4, topic, topic_length);
  bytes[4 + topic_length] = 0;
  bytes[5 + topic_length] = 1;
  memcpy(bytes + 6 + topic_length, message, strlen(message));
  write_tls(bytes, 2 + length);
  if (packet(bytes) != 0x40) failed("not-published", 0);
  said("published", 0);
  for (;;) packet(bytes);
}
