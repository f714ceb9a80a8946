// NOT COMPILED where this project is built: see README.md of the Android project.

package blazeface.app

import android.content.res.AssetManager
import androidx.camera.core.ImageAnalysis
import androidx.camera.core.ImageProxy
import blazeface.FRONT_128
import blazeface.Face
import blazeface.FaceDetector
import blazeface.Layout
import blazeface.Plane
import blazeface.yuv420Image
import java.io.FileInputStream
import java.nio.ByteBuffer
import java.nio.channels.FileChannel
import org.tensorflow.lite.Interpreter
import org.tensorflow.lite.gpu.CompatibilityList
import org.tensorflow.lite.gpu.GpuDelegate

/**
 * Faces of each frame of a camera. A GPU delegate belongs to the thread that made it: make, use and close this on one thread.
 *
 * mirrored: for a front camera whose preview is mirrored. found: faces in pixels of the upright frame, and its size.
 */
class FaceAnalyzer(
    assets: AssetManager,
    private val mirrored: Boolean,
    private val found: (faces: List<Face>, width: Int, height: Int) -> Unit,
) : ImageAnalysis.Analyzer, AutoCloseable {
    private val detector = FaceDetector(FRONT_128, Layout.ROWS_COLUMNS_COLOURS)
    private val gpu = CompatibilityList().use { list ->
        if (list.isDelegateSupportedOnThisDevice) GpuDelegate(list.bestOptionsForThisDevice) else null
    }
    private val interpreter = Interpreter(
        mapped(assets, "front-128.tflite"),
        Interpreter.Options().apply { if (gpu != null) addDelegate(gpu) else setNumThreads(2) },
    )

    override fun analyze(frame: ImageProxy) = frame.use {
        val planes = frame.planes.map { Plane(it.buffer, it.rowStride, it.pixelStride) }
        val image = yuv420Image(frame.width, frame.height, planes, frame.imageInfo.rotationDegrees, mirrored)
        val faces = detector.detect(image) { input, logits, regressions ->
            // Outputs by index, as in Google's short range: 0 regressions (1, 896, 16), 1 logits (1, 896, 1).
            interpreter.runForMultipleInputsOutputs(arrayOf(input), mapOf(0 to regressions, 1 to logits))
        }
        found(faces, image.uprightWidth, image.uprightHeight)
    }

    override fun close() {
        interpreter.close()
        gpu?.close()
    }

    private fun mapped(assets: AssetManager, name: String): ByteBuffer = assets.openFd(name).use { file ->
        FileInputStream(file.fileDescriptor).use {
            it.channel.map(FileChannel.MapMode.READ_ONLY, file.startOffset, file.declaredLength)
        }
    }
}
