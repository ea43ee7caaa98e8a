/* The network of text_network.py on one patch: logits, and the gradients of a weighted loss. Plain loops over 8 or 16 channels, which a compiler
   turns into vector instructions; several times faster on a CPU than the frameworks' depthwise convolutions. */
#include <math.h>
#include <string.h>

#define SIDE 256
#define A 128
#define N 64
#define C 16
#define S 8
#define BLOCKS 5
#define PAD 4
#define M (N + 2 * PAD)

static const int dilation[BLOCKS] = {1, 2, 4, 2, 1};

/* Weights in the order of the file: kernel rows, kernel columns, inputs, outputs; then biases. */
typedef struct { float d[9][C], db[C], p[C][C], pb[C]; } Block;
typedef struct { float a[25][S], ab[S], b[9][S][C], bb[C]; Block block[BLOCKS]; float h[C], hb; } Net;

static _Thread_local float in[SIDE + 4][SIDE + 4], a[A + 2][A + 2][S], da[A + 2][A + 2][S];
static _Thread_local float x[BLOCKS + 1][M][M][C], u[BLOCKS][N][N][C], dx[2][M][M][C];

static void forward(const Net *w, const float *film) {
    memset(in, 0, sizeof in); memset(a, 0, sizeof a); memset(x, 0, sizeof x);
    for (int y = 0; y < SIDE; y++) memcpy(&in[y + 2][2], film + y * SIDE, SIDE * sizeof(float));
    for (int y = 0; y < A; y++) for (int i = 0; i < A; i++) {
        float s[S]; memcpy(s, w->ab, sizeof s);
        for (int r = 0; r < 5; r++) for (int k = 0; k < 5; k++) { float v = in[2 * y + r][2 * i + k]; for (int c = 0; c < S; c++) s[c] += v * w->a[5 * r + k][c]; }
        for (int c = 0; c < S; c++) a[y + 1][i + 1][c] = s[c] > 0 ? s[c] : 0;
    }
    for (int y = 0; y < N; y++) for (int i = 0; i < N; i++) {
        float s[C]; memcpy(s, w->bb, sizeof s);
        for (int r = 0; r < 3; r++) for (int k = 0; k < 3; k++) for (int q = 0; q < S; q++) { float v = a[2 * y + r][2 * i + k][q]; for (int c = 0; c < C; c++) s[c] += v * w->b[3 * r + k][q][c]; }
        for (int c = 0; c < C; c++) x[0][y + PAD][i + PAD][c] = s[c] > 0 ? s[c] : 0;
    }
    for (int n = 0; n < BLOCKS; n++) {
        const Block *k = &w->block[n]; int d = dilation[n];
        for (int y = 0; y < N; y++) for (int i = 0; i < N; i++) {
            float s[C], o[C]; memcpy(s, k->db, sizeof s); memcpy(o, k->pb, sizeof o);
            for (int t = 0; t < 9; t++) { const float *v = x[n][y + PAD + (t / 3 - 1) * d][i + PAD + (t % 3 - 1) * d]; for (int c = 0; c < C; c++) s[c] += v[c] * k->d[t][c]; }
            for (int c = 0; c < C; c++) u[n][y][i][c] = s[c] = s[c] > 0 ? s[c] : 0;
            for (int q = 0; q < C; q++) for (int c = 0; c < C; c++) o[c] += s[q] * k->p[q][c];
            for (int c = 0; c < C; c++) { float v = o[c] + x[n][y + PAD][i + PAD][c]; x[n + 1][y + PAD][i + PAD][c] = v > 0 ? v : 0; }
        }
    }
}

static float logit(const Net *w, int y, int i) {
    float z = w->hb;
    for (int c = 0; c < C; c++) z += x[BLOCKS][y + PAD][i + PAD][c] * w->h[c];
    return z;
}

void judge(const Net *w, const float *film, float *logits) {
    forward(w, film);
    for (int y = 0; y < N; y++) for (int i = 0; i < N; i++) logits[y * N + i] = logit(w, y, i);
}

/* Adds the gradients of the loss over `total` weight to g, and returns the loss. Cells that are certain already count less. */
double learn(const Net *w, const float *film, const float *label, const float *weight, float total, Net *g) {
    double loss = 0;
    forward(w, film);
    memset(dx, 0, sizeof dx); memset(da, 0, sizeof da);
    int now = 0;
    for (int y = 0; y < N; y++) for (int i = 0; i < N; i++) {
        float z = logit(w, y, i), l = label[y * N + i], p = 1 / (1 + expf(-z)), e = p - l;
        float m = weight[y * N + i] * (.25f + fabsf(e)) / total;
        loss += m * (fmaxf(z, 0) - z * l + log1pf(expf(-fabsf(z))));
        e *= m; g->hb += e;
        for (int c = 0; c < C; c++) { g->h[c] += e * x[BLOCKS][y + PAD][i + PAD][c]; dx[now][y + PAD][i + PAD][c] = e * w->h[c]; }
    }
    for (int n = BLOCKS - 1; n >= 0; n--, now ^= 1) {
        const Block *k = &w->block[n]; Block *gk = &g->block[n]; int d = dilation[n];
        memset(dx[now ^ 1], 0, sizeof dx[0]);
        for (int y = 0; y < N; y++) for (int i = 0; i < N; i++) {
            float o[C], s[C];
            float *out = dx[now ^ 1][y + PAD][i + PAD];
            for (int c = 0; c < C; c++) { o[c] = x[n + 1][y + PAD][i + PAD][c] > 0 ? dx[now][y + PAD][i + PAD][c] : 0; out[c] += o[c]; gk->pb[c] += o[c]; }
            for (int q = 0; q < C; q++) {
                float v = u[n][y][i][q], sum = 0;
                for (int c = 0; c < C; c++) { gk->p[q][c] += v * o[c]; sum += k->p[q][c] * o[c]; }
                s[q] = v > 0 ? sum : 0;
            }
            for (int c = 0; c < C; c++) gk->db[c] += s[c];
            for (int t = 0; t < 9; t++) {
                int yy = y + PAD + (t / 3 - 1) * d, ii = i + PAD + (t % 3 - 1) * d;
                for (int c = 0; c < C; c++) { gk->d[t][c] += x[n][yy][ii][c] * s[c]; dx[now ^ 1][yy][ii][c] += k->d[t][c] * s[c]; }
            }
        }
    }
    for (int y = 0; y < N; y++) for (int i = 0; i < N; i++) {
        float o[C];
        for (int c = 0; c < C; c++) { o[c] = x[0][y + PAD][i + PAD][c] > 0 ? dx[now][y + PAD][i + PAD][c] : 0; g->bb[c] += o[c]; }
        for (int r = 0; r < 3; r++) for (int k = 0; k < 3; k++) for (int q = 0; q < S; q++) {
            float v = a[2 * y + r][2 * i + k][q], sum = 0;
            for (int c = 0; c < C; c++) { g->b[3 * r + k][q][c] += v * o[c]; sum += w->b[3 * r + k][q][c] * o[c]; }
            da[2 * y + r][2 * i + k][q] += sum;
        }
    }
    for (int y = 0; y < A; y++) for (int i = 0; i < A; i++) {
        float o[S];
        for (int c = 0; c < S; c++) { o[c] = a[y + 1][i + 1][c] > 0 ? da[y + 1][i + 1][c] : 0; g->ab[c] += o[c]; }
        for (int r = 0; r < 5; r++) for (int k = 0; k < 5; k++) { float v = in[2 * y + r][2 * i + k]; for (int c = 0; c < S; c++) g->a[5 * r + k][c] += v * o[c]; }
    }
    return loss;
}
